package org.tapfill.isodep

import java.util.concurrent.Executor

/** The radio: the reader mode of Android, or a fake of it. */
interface Field {
    /** `on`, `off` or `none`. */
    fun state(): String

    /** Polls for cards, and tells of each by [Desk.found]. */
    fun open(options: BeginArgs)

    fun close()
}

/** A command that can't be done now; the code is all that comes through to Rust. */
class Refused(val code: String) : Exception(code)

/**
 * One session at a time with one card at a time. No class of the OS in here.
 *
 * A card whose outcome became unknown is given up and the field polls anew, so that the next contact is a new tag.
 * Whatever waits for a card happens on the worker's one thread, closing it too: the screen's own comes by here when the
 * app leaves it, and a card may be silent for seconds.
 */
class Desk(
    private val field: Field,
    private val worker: Executor,
    private val tell: (PhoneEvent) -> Unit,
) {
    private var session: Long? = null
    private var sessions = 0L
    private var options = BeginArgs()
    private var card: Card? = null
    private var tags = 0L
    private var paused = false
    private var busy = false

    @Synchronized
    fun begin(options: BeginArgs): Long {
        val state = field.state()
        if (state != "on") {
            throw Refused(state)
        }
        if (busy) {
            throw Refused("busy")
        }
        drop()
        this.options = options
        sessions += 1
        session = sessions
        if (!paused) {
            field.open(options)
        }
        return sessions
    }

    /** A card came into the field, and is connected. */
    @Synchronized
    fun found(card: Card) {
        val session = session
        if (session == null || paused) {
            worker.execute(card::close)
            return
        }
        drop()
        tags += 1
        this.card = card
        tell(PhoneEvent("tag", session = session, tag = tags))
    }

    /**
     * A tag of another kind, or a card at the edge of the field. Android would go on to hold it, and to look for no other,
     * until its next check of the presence.
     */
    @Synchronized
    fun missed() {
        if (session != null && !paused && card == null) {
            field.close()
            field.open(options)
        }
    }

    /** Answers on the worker's thread. */
    @Synchronized
    fun transceive(batch: TransceiveArgs, answer: (BatchAnswer) -> Unit) {
        if (busy) {
            throw Refused("busy")
        }
        val card = card
        when {
            session != batch.session -> answer(BatchAnswer(emptyList(), "closed"))
            card == null || tags != batch.tag -> answer(BatchAnswer(emptyList(), "tag-lost"))
            else -> {
                busy = true
                worker.execute { work(card, batch, answer) }
            }
        }
    }

    /** Rust gave this card up: the next contact is a new tag. One that is gone already is no error. */
    @Synchronized
    fun release(session: Long, tag: Long) {
        if (this.session == session && tags == tag && card != null) {
            startOver()
        }
    }

    @Synchronized
    fun end(session: Long) {
        if (this.session != session) {
            return
        }
        this.session = null
        drop()
        field.close()
    }

    /** The app left the screen: the system takes the field away. */
    @Synchronized
    fun pause() {
        paused = true
        if (session != null) {
            lose()
            field.close()
        }
    }

    /** The app is back: who still waits for a card gets one. A frozen app hears of no switch, so it is asked for. */
    @Synchronized
    fun resume() {
        paused = false
        switched()
        if (session != null) {
            field.open(options)
        }
    }

    /** NFC was switched on or off. */
    @Synchronized
    fun switched() {
        val state = field.state()
        if (state != "on") {
            session = null
            drop()
            field.close()
        }
        tell(PhoneEvent("state", nfc = state))
    }

    private fun work(card: Card, batch: TransceiveArgs, answer: (BatchAnswer) -> Unit) {
        val result = try {
            runBatch(card, batch.commands) { isHeld(card) }
        } catch (_: RuntimeException) {
            BatchAnswer(emptyList(), "io")
        }
        settle(card, result)
        answer(result)
    }

    @Synchronized
    private fun isHeld(card: Card): Boolean = this.card === card

    @Synchronized
    private fun settle(card: Card, result: BatchAnswer) {
        busy = false
        val unknown = result.stop == "tag-lost" || result.stop == "timeout" || result.stop == "io"
        if (unknown && this.card === card) {
            startOver()
        }
    }

    private fun startOver() {
        lose()
        field.close()
        field.open(options)
    }

    private fun lose() {
        val session = session
        if (card != null && session != null) {
            tell(PhoneEvent("lost", session = session, tag = tags))
        }
        drop()
    }

    private fun drop() {
        card?.let { worker.execute(it::close) }
        card = null
    }
}
