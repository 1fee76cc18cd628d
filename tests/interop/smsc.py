"""An SMSC: the server of smpp.twisted, whose answers a test chooses, and what it was given."""

import threading
import time
from dataclasses import dataclass

import gsm0338
from smpp.pdu import operations, pdu_types
from smpp.twisted.config import SMPPServerConfig
from smpp.twisted.protocol import DataHandlerResponse
from smpp.twisted.server import SMPPServerFactory
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import defer, reactor
from zope.interface import implementer

Status = pdu_types.CommandStatus
DROP, SILENT = "drop", "silent"


@implementer(IRealm)
class Realm:
    """Everybody who may sign in is the same to this SMSC."""

    def requestAvatar(self, avatar_id, mind, *interfaces):
        return "SMPP", avatar_id, lambda: None


@dataclass
class Part:
    """One submit_sm."""

    to: str
    source: str
    source_ton: str
    coding: str
    header: bytes
    body: bytes
    validity: object
    answer: object

    @property
    def text(self):
        return self.body.decode("utf-16-be") if self.coding == "UCS2" else gsm0338.Codec().decode(self.body)[0]


def in_reactor(function, *arguments):
    """Runs it where Twisted runs, and waits."""
    done = threading.Event()
    result = []

    def run():
        d = defer.maybeDeferred(function, *arguments)
        d.addBoth(result.append)
        d.addBoth(lambda _: done.set())

    if not reactor.running:
        threading.Thread(target=reactor.run, kwargs={"installSignalHandlers": False}, daemon=True).start()
        while not reactor.running:
            time.sleep(0.01)
    reactor.callFromThread(run)
    if not done.wait(20):
        raise TimeoutError(function)
    return result[0]


class Smsc:
    """Listens from its making on; `answers` are for the next submits, then all are taken."""

    def __init__(self, password="secret", receipts=None):
        self.answers, self.parts, self.binds = [], [], 0
        self.receipts = receipts
        self.credentials = InMemoryUsernamePasswordDatabaseDontUse()
        self.set_password(password)
        portal = Portal(Realm())
        portal.registerChecker(self.credentials)
        config = SMPPServerConfig(msgHandler=self._submitted, systems={"bank": {"max_bindings": 4}})
        self.factory = SMPPServerFactory(config, auth_portal=portal)
        self.connections = []
        make = self.factory.buildProtocol

        def build(address):
            connection = make(address)
            self.connections.append(connection)
            return connection

        self.factory.buildProtocol = build
        self.port = 0
        self.back()

    def set_password(self, password):
        self.credentials.users = {"bank": password}

    def back(self):
        """Listens, at the port of before."""
        self.listener = in_reactor(lambda: reactor.listenTCP(self.port, self.factory, interface="127.0.0.1"))
        self.port = self.listener.getHost().port

    def away(self):
        """Neither listens nor keeps a connection."""

        def leave():
            self._drop()
            return self.listener.stopListening()

        in_reactor(leave)

    def _drop(self):
        for connection in self.connections:
            if connection.transport:
                connection.transport.abortConnection()
        self.connections.clear()

    def _submitted(self, system_id, connection, pdu):
        answer = self.answers.pop(0) if self.answers else Status.ESME_ROK
        number = str(len(self.parts) + 1)
        self.parts.append(part(pdu, answer))
        if answer == DROP:
            self._drop()
            return defer.Deferred()
        if answer == SILENT:
            return defer.Deferred()
        if answer != Status.ESME_ROK:
            return answer
        wanted = pdu.params["registered_delivery"].receipt == pdu_types.RegisteredDeliveryReceipt.SMSC_DELIVERY_RECEIPT_REQUESTED
        if self.receipts and wanted:
            reactor.callLater(0.1, self._receipt, connection, pdu, number)
        return DataHandlerResponse(status=Status.ESME_ROK, message_id=number.encode())

    def _receipt(self, connection, pdu, number):
        text = f"id:{number} sub:001 dlvrd:001 submit date:2611281900 done date:2611281901 stat:{self.receipts} err:000 text:"
        kind = pdu_types.EsmClass(pdu_types.EsmClassMode.DEFAULT, pdu_types.EsmClassType.SMSC_DELIVERY_RECEIPT)
        receipt = operations.DeliverSM(
            source_addr=pdu.params["destination_addr"], destination_addr=pdu.params["source_addr"],
            esm_class=kind, short_message=text.encode(),
        )
        connection.sendDataRequest(receipt).addErrback(lambda _: None)

    def taken(self):
        """The texts of what was answered with yes, whole; parts of one text are put together."""
        return whole(part for part in self.parts if part.answer == Status.ESME_ROK)

    def seen(self):
        """All texts that came, whatever was answered."""
        return whole(self.parts)


def part(pdu, answer):
    """What matters of a submit_sm."""
    params = pdu.params
    body = params.get("message_payload") or params["short_message"]
    has_header = pdu_types.EsmClassGsmFeatures.UDHI_INDICATOR_SET in params["esm_class"].gsmFeatures
    length = body[0] + 1 if has_header else 0
    coding = params["data_coding"].schemeData
    return Part(
        params["destination_addr"].decode(), params["source_addr"].decode(), params["source_addr_ton"].name,
        coding.name, body[:length], body[length:], params["validity_period"], answer,
    )


def whole(parts):
    """(to, text) of each message, in the order in which they began."""
    messages, open_ = [], {}
    for it in parts:
        if not it.header:
            messages.append((it.to, it.text))
            continue
        length, element, size, reference, count, number = it.header
        assert (length, element, size) == (5, 0, 3), it.header
        bodies = open_.setdefault((it.to, reference), {})
        bodies[number] = it.text
        if len(bodies) == count:
            messages.append((it.to, "".join(bodies[at] for at in sorted(bodies))))
            del open_[it.to, reference]
    return messages
