package androidx.core.content

import android.content.SharedPreferences
import android.content.absent

fun SharedPreferences.edit(commit: Boolean = false, change: SharedPreferences.Editor.() -> Unit): Unit = absent()
