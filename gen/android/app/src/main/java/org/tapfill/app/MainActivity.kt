package org.tapfill.app

import android.os.Bundle
import android.view.View
import androidx.activity.enableEdgeToEdge
import androidx.core.view.OnApplyWindowInsetsListener
import androidx.core.view.ViewCompat
import androidx.core.view.WindowInsetsCompat

class MainActivity : TauriActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        enableEdgeToEdge()
        super.onCreate(savedInstanceState)
        ViewCompat.setOnApplyWindowInsetsListener(findViewById(android.R.id.content), Room)
    }
}

/**
 * Keeps the page clear of bars, cut-outs and the keyboard. New versions of Android no longer make room by themselves,
 * and web views before 144 tell a page little or nothing of what covers it (`env(safe-area-inset-*)`); those that do
 * find nothing left to tell.
 */
internal object Room : OnApplyWindowInsetsListener {
    override fun onApplyWindowInsets(view: View, insets: WindowInsetsCompat): WindowInsetsCompat {
        val covers = WindowInsetsCompat.Type.systemBars() or
            WindowInsetsCompat.Type.displayCutout() or
            WindowInsetsCompat.Type.ime()
        val room = insets.getInsets(covers)
        view.setPadding(room.left, room.top, room.right, room.bottom)
        return WindowInsetsCompat.CONSUMED
    }
}
