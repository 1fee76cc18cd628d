package org.tapfill.isodep

import java.io.IOException
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executor
import java.util.concurrent.Executors
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class DeskTest {
    private val field = FakeField()
    private val told = ArrayList<PhoneEvent>()
    private val work = ArrayDeque<Runnable>()
    private val desk = Desk(field, Executor { work.add(it) }) { told.add(it) }
    private val answers = ArrayList<BatchAnswer>()

    private fun held(card: Card): Long {
        val session = desk.begin(BeginArgs())
        desk.found(card)
        return session
    }

    private fun send(session: Long, vararg commands: Order, tag: Long = told.last { it.kind == "tag" }.tag) {
        val batch = TransceiveArgs()
        batch.session = session
        batch.tag = tag
        batch.commands = commands.toList()
        desk.transceive(batch) { answers.add(it) }
    }

    private fun run() {
        while (true) (work.removeFirstOrNull() ?: return).run()
    }

    private fun stops(): List<String> = answers.map { it.stop }

    @Test
    fun `a batch of commands comes back whole`() {
        val card = FakeCard("AA9000", "BB9000")
        send(held(card), order("00A4"), order("00B0"))
        run()
        assertEquals(listOf("AA9000", "BB9000"), answers[0].replies)
        assertEquals(listOf("done"), stops())
        assertEquals("a time for each", 2, answers[0].ms.size)
        assertEquals(listOf("00A4", "00B0"), card.sent)
    }

    @Test
    fun `a card lost in mid-batch keeps the replies so far and gets nothing more`() {
        val card = FakeCard("AA9000", CardGone(), "CC9000")
        send(held(card), order("01"), order("02"), order("03"))
        run()
        assertEquals(listOf("AA9000"), answers[0].replies)
        assertEquals(listOf("tag-lost"), stops())
        assertEquals("the third command", listOf("01", "02"), card.sent)
        assertEquals("lost", told.last().kind)
        assertTrue("given up", card.closed)
        assertEquals("the field polls anew", 2, field.openings)
    }

    @Test
    fun `a status word that is not waited for stops the batch`() {
        val card = FakeCard("6A82", "9000")
        send(held(card), order("01", "9000", "61"), order("02"))
        run()
        assertEquals(listOf("6A82"), answers[0].replies)
        assertEquals(listOf("status-word"), stops())
        assertFalse("the card is as good as before", card.closed)
    }

    @Test
    fun `a slow card, a bad radio and a reply without a status word are told apart`() {
        for ((reply, stop) in listOf(CardSlow() to "timeout", IOException() to "io", "90" to "tag-lost")) {
            answers.clear()
            send(held(FakeCard(reply)), order("01"))
            run()
            assertEquals(listOf(stop), stops())
        }
    }

    @Test
    fun `a command that is no hexadecimal is never sent`() {
        val card = FakeCard("9000")
        send(held(card), order("0G"))
        run()
        assertEquals(listOf("io"), stops())
        assertEquals(emptyList<String>(), card.sent)
    }

    @Test
    fun `a pause in mid-batch closes it, and coming back polls again`() {
        val card = FakeCard("9000", "9001", "9000")
        val session = held(card)
        card.before = { if (card.sent.size == 1) desk.pause() }
        send(session, order("01"), order("02"), order("03"))
        run()
        assertEquals(listOf("closed"), stops())
        assertEquals("what was under way is known", listOf("9000", "9001"), answers[0].replies)
        assertEquals("and nothing follows", listOf("01", "02"), card.sent)
        assertTrue(card.closed)
        assertFalse(field.open)
        desk.resume()
        assertTrue("the session outlives the pause", field.open)
        desk.found(FakeCard("9000"))
        assertEquals(2, told.last().tag)
    }

    @Test
    fun `the end of a session while a card is waited for takes the field away`() {
        val session = desk.begin(BeginArgs())
        desk.end(session)
        assertFalse(field.open)
        val late = FakeCard()
        desk.found(late)
        run()
        assertTrue("nobody wants it", late.closed)
        assertEquals(emptyList<PhoneEvent>(), told)
    }

    @Test
    fun `the end of a session in mid-batch closes the batch`() {
        val card = FakeCard("9000", "9000")
        val session = held(card)
        card.before = { desk.end(session) }
        send(session, order("01"), order("02"))
        run()
        assertEquals(listOf("closed"), stops())
    }

    @Test
    fun `a card that Rust gave up is let go, and found anew`() {
        val card = FakeCard("9000")
        val session = held(card)
        desk.release(session, 7)
        run()
        assertFalse("another tag", card.closed)
        desk.release(session, 1)
        run()
        assertTrue(card.closed)
        assertEquals("lost", told.last().kind)
        assertEquals("the field polls anew", 2, field.openings)
        desk.release(session, 1)
        assertEquals("it is gone already", 2, field.openings)
    }

    @Test
    fun `while a batch runs there is neither another nor a new session`() {
        val session = held(FakeCard("9000"))
        send(session, order("01"))
        assertEquals("busy", assertThrows(Refused::class.java) { send(session, order("02")) }.code)
        assertEquals("busy", assertThrows(Refused::class.java) { desk.begin(BeginArgs()) }.code)
        run()
        assertEquals(listOf("done"), stops())
        assertEquals(session + 1, desk.begin(BeginArgs()))
    }

    @Test
    fun `an old session and an old card are never talked to`() {
        val first = held(FakeCard())
        val second = held(FakeCard("9000"))
        send(first, order("01"))
        send(second, order("01"), tag = 1)
        run()
        assertEquals(listOf("closed", "tag-lost"), stops())
    }

    @Test
    fun `no NFC and NFC that is off are refused by name`() {
        field.state = "none"
        assertEquals("none", assertThrows(Refused::class.java) { desk.begin(BeginArgs()) }.code)
        field.state = "off"
        assertEquals("off", assertThrows(Refused::class.java) { desk.begin(BeginArgs()) }.code)
    }

    @Test
    fun `NFC switched off ends the session and is told`() {
        val card = FakeCard("9000")
        val session = held(card)
        field.state = "off"
        desk.switched()
        assertEquals("off", told.last().nfc)
        run()
        assertTrue(card.closed)
        send(session, order("01"))
        assertEquals(listOf("closed"), stops())
    }

    @Test
    fun `NFC switched while the app was frozen is told when it comes back`() {
        desk.begin(BeginArgs())
        desk.pause()
        field.state = "off"
        desk.resume()
        assertEquals("off", told.last().nfc)
        assertFalse("nothing to open", field.open)
        desk.pause()
        field.state = "on"
        desk.resume()
        assertEquals("and on again", "on", told.last().nfc)
    }

    @Test
    fun `a card that came while the app was away is let go`() {
        desk.begin(BeginArgs())
        desk.pause()
        val card = FakeCard()
        desk.found(card)
        run()
        assertTrue(card.closed)
    }

    @Test(timeout = 5_000)
    fun `a silent card keeps nobody waiting who leaves the app, switches NFC off or ends the session`() {
        val leaves = listOf<(Desk, Long) -> Unit>(
            { desk, _ -> desk.pause() },
            { desk, session -> desk.end(session) },
            { desk, session -> desk.release(session, 1) },
            { desk, _ -> field.state = "off"; desk.switched() },
        )
        for (leave in leaves) {
            field.state = "on"
            val card = SilentCard()
            val thread = Executors.newSingleThreadExecutor()
            val desk = Desk(field, thread) {}
            val session = desk.begin(BeginArgs())
            desk.found(card)
            val batch = TransceiveArgs()
            batch.session = session
            batch.tag = 1
            batch.commands = listOf(order("01"))
            desk.transceive(batch) {}
            card.asked.await()
            leave(desk, session)
            assertEquals("the thread that left did not wait", 1, card.answer.count)
            card.answer.countDown()
            card.closed.await()
            thread.shutdown()
        }
    }
}

private fun order(data: String, vararg goOn: String): Order {
    val order = Order()
    order.data = data
    order.goOn = goOn.toList()
    return order
}

/** Answers with what was written for it, text or failure. */
private class FakeCard(private vararg val replies: Any) : Card {
    val sent = ArrayList<String>()
    var closed = false
    var before: () -> Unit = {}

    override fun transceive(command: ByteArray): ByteArray {
        before()
        if (closed) throw IOException("closed")
        sent.add(toHex(command))
        return when (val reply = replies[sent.size - 1]) {
            is IOException -> throw reply
            else -> fromHex(reply as String)
        }
    }

    override fun close() {
        closed = true
    }
}

/** As Android's: whoever closes it waits for the reply that is under way. */
private class SilentCard : Card {
    val asked = CountDownLatch(1)
    val answer = CountDownLatch(1)
    val closed = CountDownLatch(1)

    override fun transceive(command: ByteArray): ByteArray {
        asked.countDown()
        answer.await()
        throw CardGone()
    }

    override fun close() {
        answer.await()
        closed.countDown()
    }
}

private class FakeField : Field {
    var state = "on"
    var open = false
    var openings = 0

    override fun state() = state

    override fun open(options: BeginArgs) {
        open = true
        openings += 1
    }

    override fun close() {
        open = false
    }
}
