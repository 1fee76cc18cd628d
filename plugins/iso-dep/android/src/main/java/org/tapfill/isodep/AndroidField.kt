package org.tapfill.isodep

import android.app.Activity
import android.nfc.NfcAdapter
import android.nfc.Tag
import android.nfc.TagLostException
import android.nfc.tech.IsoDep
import android.os.Bundle
import java.io.IOException

/** Reader mode: it keeps other apps and Android's own handling away from the card. */
internal class AndroidField(
    private val activity: Activity,
    private val found: (Card) -> Unit,
    private val missed: () -> Unit,
) : Field, NfcAdapter.ReaderCallback {
    @Volatile
    private var options = BeginArgs()

    private fun adapter(): NfcAdapter? = NfcAdapter.getDefaultAdapter(activity)

    override fun state(): String {
        val adapter = adapter() ?: return "none"
        return if (adapter.isEnabled) "on" else "off"
    }

    override fun open(options: BeginArgs) {
        this.options = options
        val extras = Bundle()
        extras.putInt(NfcAdapter.EXTRA_READER_PRESENCE_CHECK_DELAY, options.presenceCheckMs)
        activity.runOnUiThread {
            try {
                adapter()?.enableReaderMode(activity, this, FLAGS, extras)
            } catch (_: IllegalStateException) {
                // The activity is not on the screen: onResume comes back to this.
            }
        }
    }

    override fun close() {
        activity.runOnUiThread {
            try {
                adapter()?.disableReaderMode(activity)
            } catch (_: IllegalStateException) {
                // The activity is gone, and reader mode with it.
            }
        }
    }

    /** On a thread of Android's own. */
    override fun onTagDiscovered(tag: Tag) {
        val radio = IsoDep.get(tag) ?: return missed()
        try {
            radio.connect()
        } catch (_: IOException) {
            return missed()
        } catch (_: SecurityException) {
            return missed()
        }
        found(IsoDepCard(radio, options.transceiveMs))
    }

    private companion object {
        const val FLAGS = NfcAdapter.FLAG_READER_NFC_A or
            NfcAdapter.FLAG_READER_NFC_B or
            NfcAdapter.FLAG_READER_SKIP_NDEF_CHECK or
            NfcAdapter.FLAG_READER_NO_PLATFORM_SOUNDS
    }
}

internal class IsoDepCard(private val radio: IsoDep, private val limitMs: Int) : Card {
    override fun transceive(command: ByteArray): ByteArray {
        val began = System.nanoTime()
        try {
            // Closing a tag of before sets it back for all of them.
            radio.timeout = limitMs
            return radio.transceive(command)
        } catch (_: TagLostException) {
            // Android says the same of a card that left and of one that took too long.
            val tookMs = (System.nanoTime() - began) / 1_000_000
            throw if (tookMs >= limitMs) CardSlow() else CardGone()
        } catch (_: SecurityException) {
            // A tag of before: another one was found meanwhile.
            throw CardGone()
        } catch (_: IllegalStateException) {
            throw CardGone()
        }
    }

    override fun close() {
        try {
            radio.close()
        } catch (_: IOException) {
            // It is gone, which is what was asked for.
        } catch (_: SecurityException) {
            // A tag of before.
        }
    }
}
