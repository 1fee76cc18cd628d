package android.app

import android.content.Context
import android.content.absent
import android.view.View
import android.view.Window

open class Activity : Context() {
    val window = Window()

    fun runOnUiThread(work: Runnable) = work.run()

    @Deprecated("as on Android")
    open fun onBackPressed() {}

    fun finishAffinity() {}

    fun <V : View> findViewById(id: Int): V = absent()

    companion object {
        const val RESULT_OK = -1
        const val MODE_PRIVATE = Context.MODE_PRIVATE
    }
}
