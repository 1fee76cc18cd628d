package android.content

import android.content.pm.ApplicationInfo
import android.content.pm.PackageManager
import android.content.res.AssetManager
import android.net.Uri
import android.os.Bundle
import java.io.File

open class Context {
    open val packageManager: PackageManager = PackageManager()
    open val packageName: String get() = "org.tapfill.app"
    open val contentResolver: ContentResolver get() = absent()
    open val assets: AssetManager get() = absent()
    open val applicationInfo: ApplicationInfo get() = absent()
    open val filesDir: File get() = absent()
    open val dataDir: File get() = absent()
    open val cacheDir: File get() = absent()
    open val externalCacheDir: File? get() = null
    open val externalCacheDirs: Array<File?> get() = arrayOf()

    open fun getExternalFilesDir(type: String?): File? = null
    open fun getSystemService(name: String): Any? = null
    open fun getSharedPreferences(name: String, mode: Int): SharedPreferences = absent()
    /** By the action that each listens for. */
    val receivers = HashMap<String, BroadcastReceiver>()

    open fun registerReceiver(receiver: BroadcastReceiver, filter: IntentFilter): Intent? {
        receivers[filter.action] = receiver
        return null
    }

    open fun unregisterReceiver(receiver: BroadcastReceiver) {
        require(receivers.values.remove(receiver)) { "Receiver not registered" }
    }

    companion object {
        const val MODE_PRIVATE = 0
        const val BATTERY_SERVICE = "batterymanager"
    }
}

/** What no test here comes to. */
fun absent(): Nothing = throw UnsupportedOperationException("only on a device")

abstract class BroadcastReceiver {
    abstract fun onReceive(context: Context, intent: Intent)
}

class ActivityNotFoundException : RuntimeException()

open class Intent(val action: String? = null) {
    var extras: Bundle? = null

    fun getStringExtra(name: String): String? = extras?.get(name) as? String
}

class IntentFilter(val action: String)

abstract class ContentResolver {
    abstract fun query(
        uri: Uri,
        projection: Array<String>?,
        selection: String?,
        arguments: Array<String>?,
        order: String?,
    ): android.database.Cursor?

    abstract fun openInputStream(uri: Uri): java.io.InputStream?
}

object ContentUris {
    fun withAppendedId(uri: Uri, id: Long): Uri = absent()
}

interface SharedPreferences {
    fun getString(key: String, default: String?): String?

    interface Editor {
        fun putString(key: String, value: String?): Editor
        fun remove(key: String): Editor
    }
}
