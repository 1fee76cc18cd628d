package org.tapfill.isodep

import android.app.Activity
import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import androidx.core.content.ContextCompat
import com.google.android.gms.auth.api.phone.SmsRetriever
import com.google.android.gms.common.api.CommonStatusCodes
import com.google.android.gms.common.api.Status

/**
 * The next message with a code, by Play services' dialog: the person decides about that one message, and no permission
 * to read messages is asked for. Where there are no Play services nothing comes, and the code is typed.
 */
internal class SmsConsent(private val activity: Activity) : BroadcastReceiver() {
    private var heard: ((Intent?) -> Unit)? = null

    /** The dialog is open. Tauri would give what comes of it to whoever opened the last one. */
    @Volatile
    var asks = false

    /** Tells the intent that asks the person; none when no message came within 5 minutes. Ends the waiting before it. */
    @Synchronized
    fun listen(heard: (Intent?) -> Unit) {
        finish(null)
        this.heard = heard
        // Play services alone may send it: what it carries is started as an activity of ours.
        val filter = IntentFilter(SmsRetriever.SMS_RETRIEVED_ACTION)
        val sender = SmsRetriever.SEND_PERMISSION
        ContextCompat.registerReceiver(activity, this, filter, sender, null, ContextCompat.RECEIVER_EXPORTED)
        SmsRetriever.getClient(activity).startSmsUserConsent(null).addOnFailureListener { finish(null) }
    }

    override fun onReceive(context: Context, intent: Intent) {
        val status = intent.extras?.get(SmsRetriever.EXTRA_STATUS) as? Status
        val came = status?.statusCode == CommonStatusCodes.SUCCESS
        finish(intent.extras?.get(SmsRetriever.EXTRA_CONSENT_INTENT).takeIf { came } as? Intent)
    }

    @Synchronized
    fun finish(ask: Intent?) {
        val heard = this.heard ?: return
        this.heard = null
        activity.unregisterReceiver(this)
        heard(ask.takeUnless { asks })
    }
}

/**
 * The code of a message about what was asked for, as the bank words it (`docs/mobile.md`); none of any other message,
 * and none of one that tells two.
 */
internal fun codeIn(message: String, about: String): String? =
    Regex("\\bCode ([0-9]{6}) " + Regex.escape(about)).findAll(message).map { it.groupValues[1] }.distinct().singleOrNull()
