package org.tapfill.isodep

import android.content.Context
import android.content.pm.PackageManager
import android.os.Build
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import java.security.GeneralSecurityException
import java.security.KeyStore
import java.security.ProviderException
import javax.crypto.KeyGenerator

/** Android's Keystore, or a fake of it. */
internal interface KeySmith {
    val hasStrongBox: Boolean

    fun has(alias: String): Boolean

    /** A key in the StrongBox. */
    fun make(alias: String)
}

/** The key that seals what key-vault keeps, under the name that its store looks for. */
internal const val SEALING_KEY = "keyring-default"

/**
 * Makes that key in the StrongBox where there is one: the store would make its own outside of it, and takes one that is
 * there. Whatever goes wrong, the store's own is as good as on a phone without a StrongBox.
 */
internal fun prepareSealingKey(smith: KeySmith) {
    try {
        if (smith.hasStrongBox && !smith.has(SEALING_KEY)) {
            smith.make(SEALING_KEY)
        }
    } catch (_: GeneralSecurityException) {
        return
    } catch (_: ProviderException) {
        // StrongBoxUnavailableException is one of these.
        return
    }
}

internal class AndroidKeySmith(private val context: Context) : KeySmith {
    override val hasStrongBox: Boolean
        get() = Build.VERSION.SDK_INT >= Build.VERSION_CODES.P &&
            context.packageManager.hasSystemFeature(PackageManager.FEATURE_STRONGBOX_KEYSTORE)

    override fun has(alias: String): Boolean {
        val keys = KeyStore.getInstance(PROVIDER)
        keys.load(null)
        return keys.containsAlias(alias)
    }

    /** But for the StrongBox, as the store makes it. */
    override fun make(alias: String) {
        val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
        val wanted = KeyGenParameterSpec.Builder(alias, purposes)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .setIsStrongBoxBacked(true)
            .build()
        val generator = KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, PROVIDER)
        generator.init(wanted)
        generator.generateKey()
    }

    private companion object {
        const val PROVIDER = "AndroidKeyStore"
    }
}
