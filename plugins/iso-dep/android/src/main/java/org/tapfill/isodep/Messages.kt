package org.tapfill.isodep

import app.tauri.annotation.InvokeArg
import app.tauri.plugin.Channel

// What crosses to Rust, under the same names as in crates/card-link (docs/mobile.md). R8 keeps public classes with this
// annotation alone, so the answers carry it too.

@InvokeArg
class WatchArgs {
    lateinit var channel: Channel
}

@InvokeArg
class BeginArgs {
    /** How rarely Android asks whether the tag is there: its own commands end a protected session on many phones. */
    var presenceCheckMs: Int = 10_000
    var transceiveMs: Int = 5_000
}

@InvokeArg
class Begun(@JvmField val session: Long)

@InvokeArg
class TransceiveArgs {
    var session: Long = 0
    var tag: Long = 0
    lateinit var commands: List<Order>
}

/** One command of a batch, hexadecimal, and the beginnings of status words after which the next is sent; none: all. */
@InvokeArg
class Order {
    lateinit var data: String
    lateinit var goOn: List<String>
}

/**
 * The replies until the batch stopped, and why: `done`, `status-word`, `tag-lost`, `timeout`, `closed`, `io`; and how
 * long the card took for each.
 */
@InvokeArg
class BatchAnswer(
    @JvmField val replies: List<String>,
    @JvmField val stop: String,
    @JvmField val ms: List<Long> = emptyList(),
)

/** A card that is given up. */
@InvokeArg
class ReleaseArgs {
    var session: Long = 0
    var tag: Long = 0
}

@InvokeArg
class EndArgs {
    var session: Long = 0
}

/** What the page needs of the screen around it. */
@InvokeArg
class ScreenArgs {
    /** Neither a screenshot nor the list of recent apps shows it. */
    var secret: Boolean = false

    /** It stays on. */
    var awake: Boolean = false

    /** `zh-CN`, `zh-TW` or `en` as it was chosen in the app, or none: the system's. */
    var language: String? = null
}

@InvokeArg
class CodeArgs {
    /** What the bank's message says right behind its code: what that one is for. No other message has it. */
    lateinit var about: String
}

/** The code out of the bank's message, if one came and the person let us have it. */
@InvokeArg
class Code(@JvmField val code: String?)

/** Whether the person proved that it is them: `yes`, `no`, or `unable` where the device has no way to ask. */
@InvokeArg
class Confirmed(@JvmField val answer: String)

@InvokeArg
class Power(@JvmField val percent: Int, @JvmField val charging: Boolean)

/** What the phone tells by itself: `state`, `tag`, `lost`, `closed`. */
@InvokeArg
class PhoneEvent(
    @JvmField val kind: String,
    @JvmField val session: Long = 0,
    @JvmField val tag: Long = 0,
    @JvmField val nfc: String? = null,
    @JvmField val why: String? = null,
)
