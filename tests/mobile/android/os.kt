package android.os

import android.content.absent
import java.io.File

class Bundle {
    val values = HashMap<String, Any?>()

    fun putInt(key: String, value: Int) {
        values[key] = value
    }

    fun get(key: String): Any? = values[key]
}

object Build {
    object VERSION {
        /** A test plays older phones, too. */
        @JvmField
        var SDK_INT = 35
    }

    object VERSION_CODES {
        const val N = 24
        const val P = 28
        const val S = 31
        const val TIRAMISU = 33
    }
}

object Environment {
    const val DIRECTORY_MUSIC = "Music"
    const val DIRECTORY_DOCUMENTS = "Documents"
    const val DIRECTORY_DOWNLOADS = "Download"
    const val DIRECTORY_PICTURES = "Pictures"
    const val DIRECTORY_DCIM = "DCIM"
    const val DIRECTORY_MOVIES = "Movies"

    fun getExternalStorageDirectory(): File = absent()
}

open class BatteryManager {
    open val isCharging: Boolean get() = absent()
    open fun getIntProperty(id: Int): Int = absent()

    companion object {
        const val BATTERY_PROPERTY_CAPACITY = 4
    }
}
