package androidx.activity

abstract class OnBackPressedCallback(var isEnabled: Boolean) {
    abstract fun handleOnBackPressed()
}

abstract class OnBackPressedDispatcher {
    abstract fun addCallback(owner: Any, callback: OnBackPressedCallback)
}

fun androidx.appcompat.app.AppCompatActivity.enableEdgeToEdge() {}
