package android.net

import android.content.absent

abstract class Uri {
    abstract val scheme: String?
    abstract val authority: String?
    abstract val path: String?
    abstract val lastPathSegment: String?

    companion object {
        fun parse(text: String): Uri = absent()
    }
}
