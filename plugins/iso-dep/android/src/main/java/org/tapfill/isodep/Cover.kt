package org.tapfill.isodep

import android.app.Activity
import android.os.Build
import android.view.MotionEvent
import android.view.View
import android.widget.Toast

/** Whether another app's window lies where the finger touched: what was seen there may not be what is ours. */
internal fun isCovered(flags: Int): Boolean = flags and MotionEvent.FLAG_WINDOW_IS_OBSCURED != 0

/**
 * Keeps windows of other apps off the screens where a code or a password is typed. From Android 12 on the system hides
 * them; before, a touch that went through one is dropped, and the person is told why nothing happens.
 */
internal class Cover(private val activity: Activity, private val words: () -> Words) : View.OnTouchListener {
    @Volatile
    private var isSecret = false

    fun watch(page: View) = page.setOnTouchListener(this)

    /** On the UI thread. */
    fun keepOff(isSecret: Boolean) {
        this.isSecret = isSecret
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) {
            activity.window.setHideOverlayWindows(isSecret)
        }
    }

    override fun onTouch(page: View, touch: MotionEvent): Boolean {
        val drops = isSecret && isCovered(touch.flags)
        if (drops && touch.actionMasked == MotionEvent.ACTION_DOWN) {
            Toast.makeText(activity, words().covered, Toast.LENGTH_LONG).show()
        }
        return drops
    }
}
