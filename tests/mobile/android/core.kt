package androidx.core.app

import android.app.Activity
import android.content.Context
import android.content.absent

object ActivityCompat {
    fun checkSelfPermission(context: Context, permission: String): Int = absent()
    fun shouldShowRequestPermissionRationale(activity: Activity, permission: String): Boolean = absent()
}
