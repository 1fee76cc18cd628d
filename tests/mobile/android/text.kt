package android.text

object TextUtils {
    fun join(delimiter: String, parts: Array<out Any>): String = parts.joinToString(delimiter)
}
