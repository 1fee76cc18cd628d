package org.tapfill.app

/** The window's own activity, which `tauri android build` puts there. */
abstract class WryActivity : androidx.appcompat.app.AppCompatActivity() {
    open val handleBackNavigation: Boolean = true
}
