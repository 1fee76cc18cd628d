package android.database

interface Cursor {
    fun getColumnIndex(name: String): Int
    fun getColumnIndexOrThrow(name: String): Int
    fun moveToFirst(): Boolean
    fun getString(column: Int): String
    fun close()
}
