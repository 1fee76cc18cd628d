package android.content.pm

import android.content.absent

class ApplicationInfo {
    val dataDir: String get() = absent()
}

class PackageInfo {
    val requestedPermissions: Array<String>? = null
}

open class PackageManager {
    open fun getPackageInfo(name: String, flags: Int): PackageInfo = absent()
    open fun getPackageInfo(name: String, flags: PackageInfoFlags): PackageInfo = absent()
    open fun hasSystemFeature(name: String): Boolean = false

    class PackageInfoFlags private constructor() {
        companion object {
            fun of(flags: Long): PackageInfoFlags = absent()
        }
    }

    companion object {
        const val GET_PERMISSIONS = 4096
        const val FEATURE_STRONGBOX_KEYSTORE = "android.hardware.strongbox_keystore"
        const val PERMISSION_GRANTED = 0
    }
}
