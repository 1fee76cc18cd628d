"""Commands to a card by pyscard: for each line of standard input so many, in one transaction, and a line of their ns."""

import sys
import time

from smartcard.scard import SCardBeginTransaction, SCardEndTransaction, SCARD_LEAVE_CARD
from smartcard.System import readers


def main():
    name, command = sys.argv[1], list(bytes.fromhex(sys.argv[2]))
    reader = next(reader for reader in readers() if str(reader) == name)
    connection = reader.createConnection()
    connection.connect()
    card = connection.component.hcard
    clock = time.perf_counter_ns
    for line in sys.stdin:
        times = []
        SCardBeginTransaction(card)
        for _ in range(int(line)):
            began = clock()
            _, sw1, sw2 = connection.transmit(command)
            times.append(clock() - began)
            if (sw1, sw2) != (0x90, 0x00):
                sys.exit(f"the card said {sw1:02X}{sw2:02X}")
        SCardEndTransaction(card, SCARD_LEAVE_CARD)
        print(*times, flush=True)


main()
