package androidx.appcompat.app

import android.app.Activity
import android.content.Intent
import android.content.res.Configuration
import android.os.Bundle
import androidx.activity.OnBackPressedDispatcher
import androidx.activity.result.ActivityResultLauncher
import androidx.activity.result.contract.ActivityResultContracts
import android.content.absent

open class AppCompatActivity : Activity() {
    val onBackPressedDispatcher: OnBackPressedDispatcher get() = absent()

    fun <I, O> registerForActivityResult(
        contract: ActivityResultContracts.Contract<I, O>,
        callback: (O) -> Unit,
    ): ActivityResultLauncher<I> = absent()

    protected open fun onCreate(savedInstanceState: Bundle?) {}
    protected open fun onNewIntent(intent: Intent) {}
    protected open fun onRestart() {}
    protected open fun onResume() {}
    protected open fun onPause() {}
    protected open fun onStop() {}
    protected open fun onDestroy() {}
    open fun onConfigurationChanged(newConfig: Configuration) {}
}
