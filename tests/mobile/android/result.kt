package androidx.activity.result

class ActivityResult(val resultCode: Int, val data: android.content.Intent?)

class IntentSenderRequest

abstract class ActivityResultLauncher<I> {
    abstract fun launch(input: I)
}
