package app.tauri

/** Gradle's, on a device. */
object BuildConfig {
    const val DEBUG = false
}
