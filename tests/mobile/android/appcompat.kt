package androidx.appcompat.app

import android.content.Intent
import android.content.res.Configuration
import android.os.Bundle
import androidx.activity.OnBackPressedDispatcher
import androidx.activity.result.ActivityResultLauncher
import androidx.activity.result.contract.ActivityResultContracts
import android.content.absent
import androidx.fragment.app.FragmentActivity

open class AppCompatActivity : FragmentActivity() {
    val onBackPressedDispatcher: OnBackPressedDispatcher get() = absent()

    fun <I, O> registerForActivityResult(
        contract: ActivityResultContracts.Contract<I, O>,
        callback: (O) -> Unit,
    ): ActivityResultLauncher<I> = object : ActivityResultLauncher<I>() {
        override fun launch(input: I) {
            launched = input
            answer = { result -> callback(result as O) }
        }
    }

    /** What was started for a result last, and how a test gives that. */
    var launched: Any? = null
    var answer: (Any) -> Unit = {}

    protected open fun onCreate(savedInstanceState: Bundle?) {}
    protected open fun onNewIntent(intent: Intent) {}
    protected open fun onRestart() {}
    protected open fun onResume() {}
    protected open fun onPause() {}
    protected open fun onStop() {}
    protected open fun onDestroy() {}
    open fun onConfigurationChanged(newConfig: Configuration) {}
}
