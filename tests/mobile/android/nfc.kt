package android.nfc

import android.app.Activity
import android.os.Bundle
import java.io.IOException

/** The one adapter of a test; [found] plays a card that comes into the field. */
class NfcAdapter {
    var isEnabled = true
    var polling: ReaderCallback? = null
    var flags = 0
    var extras: Bundle? = null

    /** Times that reader mode was switched on. */
    var openings = 0

    fun enableReaderMode(activity: Activity, callback: ReaderCallback, flags: Int, extras: Bundle?) {
        polling = callback
        this.flags = flags
        this.extras = extras
        openings += 1
    }

    fun disableReaderMode(activity: Activity) {
        polling = null
    }

    fun found(tag: Tag) {
        polling?.onTagDiscovered(tag)
    }

    fun interface ReaderCallback {
        fun onTagDiscovered(tag: Tag)
    }

    companion object {
        const val FLAG_READER_NFC_A = 0x1
        const val FLAG_READER_NFC_B = 0x2
        const val FLAG_READER_SKIP_NDEF_CHECK = 0x80
        const val FLAG_READER_NO_PLATFORM_SOUNDS = 0x100
        const val EXTRA_READER_PRESENCE_CHECK_DELAY = "presence"
        const val ACTION_ADAPTER_STATE_CHANGED = "android.nfc.action.ADAPTER_STATE_CHANGED"

        /** The device's; none on a device without NFC. */
        var present: NfcAdapter? = NfcAdapter()

        @JvmStatic
        fun getDefaultAdapter(context: android.content.Context): NfcAdapter? = present
    }
}

class Tag(val isoDep: android.nfc.tech.IsoDep?)

class TagLostException : IOException()
