package androidx.biometric

import android.content.Context
import androidx.fragment.app.FragmentActivity
import java.util.concurrent.Executor

class BiometricManager {
    fun canAuthenticate(ways: Int): Int = able

    object Authenticators {
        const val BIOMETRIC_WEAK = 0xFF
        const val DEVICE_CREDENTIAL = 0x8000
    }

    companion object {
        const val BIOMETRIC_SUCCESS = 0

        /** What the phone of a test answers. */
        var able = BIOMETRIC_SUCCESS

        @JvmStatic
        fun from(context: Context) = BiometricManager()
    }
}

/** Answers at once, as [outcome] says: none is the person. */
class BiometricPrompt(
    activity: FragmentActivity,
    private val executor: Executor,
    private val callback: AuthenticationCallback,
) {
    fun authenticate(info: PromptInfo) {
        title = info.title
        val error = outcome
        executor.execute {
            if (error == null) {
                callback.onAuthenticationSucceeded(AuthenticationResult())
            } else {
                callback.onAuthenticationError(error, "")
            }
        }
    }

    class AuthenticationResult

    abstract class AuthenticationCallback {
        open fun onAuthenticationSucceeded(result: AuthenticationResult) {}
        open fun onAuthenticationError(code: Int, text: CharSequence) {}
    }

    class PromptInfo private constructor(val title: String) {
        class Builder {
            private var title = ""

            fun setTitle(title: CharSequence): Builder {
                this.title = title.toString()
                return this
            }

            fun setAllowedAuthenticators(ways: Int) = this
            fun build() = PromptInfo(title)
        }
    }

    companion object {
        const val ERROR_HW_UNAVAILABLE = 1
        const val ERROR_USER_CANCELED = 10
        const val ERROR_NO_BIOMETRICS = 11
        const val ERROR_HW_NOT_PRESENT = 12
        const val ERROR_NO_DEVICE_CREDENTIAL = 14

        var outcome: Int? = null
        var title = ""
    }
}
