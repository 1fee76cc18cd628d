package com.google.android.gms.tasks

class Task<T>(private val succeeds: Boolean) {
    fun addOnFailureListener(failed: (Exception) -> Unit): Task<T> {
        if (!succeeds) failed(IllegalStateException("no Play services"))
        return this
    }
}
