package androidx.activity.result

class ActivityResult

class IntentSenderRequest

abstract class ActivityResultLauncher<I> {
    abstract fun launch(input: I)
}
