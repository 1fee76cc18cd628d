package android.view

open class View {
    var padding = listOf(0, 0, 0, 0)
        private set

    fun setPadding(left: Int, top: Int, right: Int, bottom: Int) {
        padding = listOf(left, top, right, bottom)
    }
}

class Window {
    var flags = 0

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
