package android.content.res

open class Configuration

abstract class AssetManager {
    abstract fun open(name: String): java.io.InputStream
}
