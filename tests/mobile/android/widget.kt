package android.widget

import android.content.Context

class Toast private constructor(private val text: CharSequence) {
    fun show() {
        shown.add(text.toString())
    }

    companion object {
        const val LENGTH_LONG = 1

        /** What was shown, in the order of it. */
        val shown = ArrayList<String>()

        @JvmStatic
        fun makeText(context: Context, text: CharSequence, length: Int) = Toast(text)
    }
}
