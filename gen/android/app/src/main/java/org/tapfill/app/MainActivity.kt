package org.tapfill.app

import android.os.Bundle
import androidx.activity.enableEdgeToEdge

class MainActivity : TauriActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        // The page keeps clear of cut-outs and bars by itself (`env(safe-area-inset-*)`).
        enableEdgeToEdge()
        super.onCreate(savedInstanceState)
    }
}
