package android.content.pm

import android.content.absent

class ApplicationInfo {
    val dataDir: String get() = absent()
}

class PackageInfo {
    val requestedPermissions: Array<String>? = null
}

abstract class PackageManager {
    abstract fun getPackageInfo(name: String, flags: Int): PackageInfo
    abstract fun getPackageInfo(name: String, flags: PackageInfoFlags): PackageInfo

    class PackageInfoFlags private constructor() {
        companion object {
            fun of(flags: Long): PackageInfoFlags = absent()
        }
    }

    companion object {
        const val GET_PERMISSIONS = 4096
        const val PERMISSION_GRANTED = 0
    }
}
