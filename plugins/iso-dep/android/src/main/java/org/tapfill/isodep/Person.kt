package org.tapfill.isodep

import android.app.Activity
import androidx.biometric.BiometricManager
import androidx.biometric.BiometricManager.Authenticators
import androidx.biometric.BiometricPrompt
import androidx.core.content.ContextCompat
import androidx.fragment.app.FragmentActivity

/** Asks who holds the phone: finger, face, or else what unlocks its screen. */
internal class Person(private val activity: Activity) {
    /** `yes`, `no`, or `unable` where there is nothing to ask with. */
    fun ask(title: String, answer: (String) -> Unit) = activity.runOnUiThread {
        val screen = activity as? FragmentActivity
        val able = BiometricManager.from(activity).canAuthenticate(WAYS) == BiometricManager.BIOMETRIC_SUCCESS
        when {
            screen == null || !able -> answer("unable")
            // The prompt would never come, and say nothing.
            screen.supportFragmentManager.isStateSaved -> answer("no")
            else -> prompt(screen, title, answer)
        }
    }

    private fun prompt(screen: FragmentActivity, title: String, answer: (String) -> Unit) {
        val told = object : BiometricPrompt.AuthenticationCallback() {
            override fun onAuthenticationSucceeded(result: BiometricPrompt.AuthenticationResult) = answer("yes")

            override fun onAuthenticationError(code: Int, text: CharSequence) =
                answer(if (code in UNABLE) "unable" else "no")
        }
        val shown = BiometricPrompt.PromptInfo.Builder().setTitle(title).setAllowedAuthenticators(WAYS).build()
        BiometricPrompt(screen, ContextCompat.getMainExecutor(activity), told).authenticate(shown)
    }

    private companion object {
        /** With a strong one, Android 9 and 10 would not offer the screen's lock beside it. */
        const val WAYS = Authenticators.BIOMETRIC_WEAK or Authenticators.DEVICE_CREDENTIAL

        val UNABLE = setOf(
            BiometricPrompt.ERROR_HW_NOT_PRESENT,
            BiometricPrompt.ERROR_HW_UNAVAILABLE,
            BiometricPrompt.ERROR_NO_BIOMETRICS,
            BiometricPrompt.ERROR_NO_DEVICE_CREDENTIAL,
        )
    }
}
