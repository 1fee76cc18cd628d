package android.provider

import android.content.Context
import android.content.absent
import android.net.Uri

object OpenableColumns {
    const val DISPLAY_NAME = "_display_name"
}

object DocumentsContract {
    fun isDocumentUri(context: Context, uri: Uri): Boolean = absent()
    fun getDocumentId(uri: Uri): String = absent()
}

object MediaStore {
    object Images {
        object Media {
            val EXTERNAL_CONTENT_URI: Uri get() = absent()
        }
    }

    object Video {
        object Media {
            val EXTERNAL_CONTENT_URI: Uri get() = absent()
        }
    }

    object Audio {
        object Media {
            val EXTERNAL_CONTENT_URI: Uri get() = absent()
        }
    }
}
