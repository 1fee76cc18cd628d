package android.view

open class View {
    var padding = listOf(0, 0, 0, 0)
        private set

    fun setPadding(left: Int, top: Int, right: Int, bottom: Int) {
        padding = listOf(left, top, right, bottom)
    }

    fun interface OnTouchListener {
        fun onTouch(view: View, event: MotionEvent): Boolean
    }

    /** Whoever is asked before the page gets a touch. */
    var touched: OnTouchListener? = null
        private set

    fun setOnTouchListener(listener: OnTouchListener?) {
        touched = listener
    }
}

class MotionEvent(val actionMasked: Int, val flags: Int) {
    companion object {
        const val ACTION_DOWN = 0
        const val ACTION_UP = 1
        const val FLAG_WINDOW_IS_OBSCURED = 0x1
        const val FLAG_WINDOW_IS_PARTIALLY_OBSCURED = 0x2
    }
}

class Window {
    var flags = 0
    var hidesOverlays = false
        private set

    fun setHideOverlayWindows(hide: Boolean) {
        hidesOverlays = hide
    }

    fun addFlags(flags: Int) {
        this.flags = this.flags or flags
    }

    fun clearFlags(flags: Int) {
        this.flags = this.flags and flags.inv()
    }
}

class WindowManager {
    class LayoutParams {
        companion object {
            const val FLAG_KEEP_SCREEN_ON = 0x80
            const val FLAG_SECURE = 0x2000
        }
    }
}
