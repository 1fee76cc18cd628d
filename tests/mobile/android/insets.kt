package androidx.core.view

import android.content.absent
import android.view.View

class Insets(val left: Int, val top: Int, val right: Int, val bottom: Int)

/** [kinds] has what each of the kinds covers; the room for several is the largest of each side. */
class WindowInsetsCompat(private val kinds: Map<Int, Insets>) {
    fun getInsets(wanted: Int): Insets {
        val covers = kinds.filterKeys { it and wanted != 0 }.values
        val most = { side: (Insets) -> Int -> covers.maxOfOrNull(side) ?: 0 }
        return Insets(most { it.left }, most { it.top }, most { it.right }, most { it.bottom })
    }

    object Type {
        fun systemBars() = 7
        fun ime() = 8
        fun displayCutout() = 128
    }

    companion object {
        val CONSUMED = WindowInsetsCompat(emptyMap())
    }
}

fun interface OnApplyWindowInsetsListener {
    fun onApplyWindowInsets(view: View, insets: WindowInsetsCompat): WindowInsetsCompat
}

object ViewCompat {
    fun setOnApplyWindowInsetsListener(view: View, listener: OnApplyWindowInsetsListener?): Unit = absent()
}
