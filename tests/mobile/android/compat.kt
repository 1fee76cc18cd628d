package androidx.core.content

import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import java.util.concurrent.Executor

object ContextCompat {
    const val RECEIVER_EXPORTED = 2

    fun registerReceiver(
        context: Context,
        receiver: BroadcastReceiver,
        filter: IntentFilter,
        permission: String?,
        scheduler: Any?,
        flags: Int,
    ): Intent? {
        checkNotNull(permission) { "anybody could send it" }
        return context.registerReceiver(receiver, filter)
    }

    fun getMainExecutor(context: Context) = Executor { it.run() }
}
