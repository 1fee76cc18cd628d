import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HexFormat;
import javax.smartcardio.Card;
import javax.smartcardio.CardChannel;
import javax.smartcardio.CommandAPDU;
import javax.smartcardio.TerminalFactory;

/** Commands to a card by the JDK: for each line of standard input so many, in one transaction, and a line of their ns. */
class Transmit {
    public static void main(String[] words) throws Exception {
        byte[] command = HexFormat.of().parseHex(words[1]);
        Card card = TerminalFactory.getDefault().terminals().getTerminal(words[0]).connect("*");
        CardChannel channel = card.getBasicChannel();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            long[] times = new long[Integer.parseInt(line)];
            card.beginExclusive();
            for (int at = 0; at < times.length; at++) {
                long began = System.nanoTime();
                int status = channel.transmit(new CommandAPDU(command)).getSW();
                times[at] = System.nanoTime() - began;
                if (status != 0x9000) {
                    throw new IllegalStateException("the card said " + Integer.toHexString(status));
                }
            }
            card.endExclusive();
            StringBuilder out = new StringBuilder();
            for (long time : times) {
                out.append(time).append(' ');
            }
            System.out.println(out.toString().trim());
        }
    }
}
