package android.webkit

open class WebView {
    fun canGoBack() = false
    fun goBack() {}
}
