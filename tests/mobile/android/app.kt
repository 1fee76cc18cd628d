package android.app

import android.content.Context
import android.view.Window

open class Activity : Context() {
    val window = Window()

    fun runOnUiThread(work: Runnable) = work.run()

    @Deprecated("as on Android")
    open fun onBackPressed() {}

    fun finishAffinity() {}

    companion object {
        const val MODE_PRIVATE = Context.MODE_PRIVATE
    }
}
