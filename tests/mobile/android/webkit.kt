package android.webkit

open class WebView : android.view.View() {
    fun canGoBack() = false
    fun goBack() {}
}
