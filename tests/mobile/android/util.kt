package android.util

object Log {
    fun v(tag: String, message: String) = 0
    fun d(tag: String, message: String) = 0
    fun i(tag: String, message: String) = 0
    fun w(tag: String, message: String) = 0
    fun e(tag: String, message: String, failure: Throwable?) = 0
}
