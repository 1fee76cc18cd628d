package androidx.activity.result.contract

import android.content.Intent
import androidx.activity.result.ActivityResult
import androidx.activity.result.IntentSenderRequest

class ActivityResultContracts {
    abstract class Contract<I, O>

    class StartActivityForResult : Contract<Intent, ActivityResult>()

    class StartIntentSenderForResult : Contract<IntentSenderRequest, ActivityResult>()

    class RequestMultiplePermissions : Contract<Array<String>, Map<String, Boolean>>()
}
