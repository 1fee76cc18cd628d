package com.google.android.gms.auth.api.phone

import android.app.Activity
import com.google.android.gms.tasks.Task

class SmsRetrieverClient {
    fun startSmsUserConsent(sender: String?): Task<Void> = Task(SmsRetriever.present)
}

object SmsRetriever {
    const val SMS_RETRIEVED_ACTION = "com.google.android.gms.auth.api.phone.SMS_RETRIEVED"
    const val SEND_PERMISSION = "com.google.android.gms.auth.api.phone.permission.SEND"
    const val EXTRA_STATUS = "com.google.android.gms.auth.api.phone.EXTRA_STATUS"
    const val EXTRA_CONSENT_INTENT = "com.google.android.gms.auth.api.phone.EXTRA_CONSENT_INTENT"
    const val EXTRA_SMS_MESSAGE = "com.google.android.gms.auth.api.phone.EXTRA_SMS_MESSAGE"

    /** Whether the phone of a test has Play services. */
    var present = true

    fun getClient(activity: Activity) = SmsRetrieverClient()
}
