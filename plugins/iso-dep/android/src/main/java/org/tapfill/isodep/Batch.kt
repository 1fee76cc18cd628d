package org.tapfill.isodep

import java.io.IOException

/** A connected card, whatever radio it is on. */
interface Card {
    /** Waits for the whole reply. */
    @Throws(IOException::class)
    fun transceive(command: ByteArray): ByteArray

    /** Waits as long as a [transceive] that is under way: never on a thread that somebody looks at. */
    fun close()
}

/** The card left. */
class CardGone : IOException("the card left")

/** The card did not answer in time. */
class CardSlow : IOException("the card did not answer in time")

/** Sends command after command until one of them gives a reason to stop. After a failure nothing more is sent. */
internal fun runBatch(card: Card, commands: List<Order>, isOpen: () -> Boolean): BatchAnswer {
    val replies = ArrayList<String>(commands.size)
    val ms = ArrayList<Long>(commands.size)
    val ended = { stop: String -> BatchAnswer(replies, stop, ms) }
    for ((nth, command) in commands.withIndex()) {
        if (!isOpen()) {
            return ended("closed")
        }
        // Before anything is sent: without it every status word would do.
        val goOn = command.goOn
        val began = System.nanoTime()
        val reply = try {
            toHex(card.transceive(fromHex(command.data)))
        } catch (failure: IOException) {
            return ended(if (isOpen()) reason(failure) else "closed")
        } catch (_: IllegalArgumentException) {
            return ended("io")
        }
        if (reply.length < STATUS_WORD) {
            return ended("tag-lost")
        }
        replies.add(reply)
        ms.add((System.nanoTime() - began) / 1_000_000)
        val status = reply.takeLast(STATUS_WORD)
        val goesOn = goOn.isEmpty() || goOn.any { status.startsWith(it) }
        if (!goesOn && nth != commands.lastIndex) {
            return ended("status-word")
        }
    }
    return ended("done")
}

private const val STATUS_WORD = 4

private fun reason(failure: IOException): String = when (failure) {
    is CardGone -> "tag-lost"
    is CardSlow -> "timeout"
    else -> "io"
}

private const val DIGITS = "0123456789ABCDEF"

internal fun toHex(bytes: ByteArray): String {
    val text = StringBuilder(bytes.size * 2)
    for (byte in bytes) {
        text.append(DIGITS[(byte.toInt() shr 4) and 0xF]).append(DIGITS[byte.toInt() and 0xF])
    }
    return text.toString()
}

internal fun fromHex(text: String): ByteArray {
    require(text.length % 2 == 0) { "half a byte" }
    return ByteArray(text.length / 2) { at ->
        val high = Character.digit(text[2 * at], 16)
        val low = Character.digit(text[2 * at + 1], 16)
        require(high >= 0 && low >= 0) { "no hexadecimal digit" }
        ((high shl 4) or low).toByte()
    }
}
