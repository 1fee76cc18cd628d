package android.nfc.tech

import android.nfc.Tag
import java.io.IOException

/** A tag whose answers a test writes. As on Android, a time-out that is set before connect is lost. */
class IsoDep(private val answer: (ByteArray) -> ByteArray) {
    var isConnected = false
        private set
    var timeout = DEFAULT_MS
        set(value) {
            if (isConnected) field = value
        }

    /** Too far away to be connected. */
    var isFar = false

    fun connect() {
        if (isFar) throw IOException()
        isConnected = true
    }

    fun close() {
        isConnected = false
    }

    fun transceive(command: ByteArray): ByteArray {
        check(isConnected) { "connect first" }
        return answer(command)
    }

    companion object {
        const val DEFAULT_MS = 309

        @JvmStatic
        fun get(tag: Tag): IsoDep? = tag.isoDep
    }
}
