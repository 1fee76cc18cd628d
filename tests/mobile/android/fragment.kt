package androidx.fragment.app

open class FragmentManager {
    var isStateSaved = false
}

open class FragmentActivity : android.app.Activity() {
    val supportFragmentManager = FragmentManager()
}
