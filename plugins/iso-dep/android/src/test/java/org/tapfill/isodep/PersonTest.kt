package org.tapfill.isodep

import java.security.KeyStoreException
import java.security.ProviderException
import java.util.Locale
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

/** What is not about cards: the code in a message, the words, the key in the StrongBox. */
class PersonTest {
    @Test
    fun `the code of a message stands before what it is for, as the bank words it`() {
        val about = "for topping up the card ending in 4471."
        assertEquals("482913", codeIn("[Bank] Code 482913 $about Valid 5 min. Tell it to nobody.", about))
        assertEquals("what the provider puts around it", "482913", codeIn("【随手充】[Bank] Code 482913 $about 回T退订", about))
        assertNull("another card", codeIn("[Bank] Code 482913 for topping up the card ending in 44710.", about))
        assertNull("six digits and the card", codeIn("482913 $about", about))
        assertNull("a longer number holds no code", codeIn("Code 1380006021 $about", about))
        assertNull("two of them are the person's to read", codeIn("Code 482913 $about Code 482914 $about", about))
        assertNull("a dot is a dot", codeIn("Code 482913 for topping up the card ending in 4471x", about))
    }

    @Test
    fun `the prompt speaks the language of the app, or else that of the phone`() {
        val confirm = { chosen: String?, phone: String -> Words.of(chosen, Locale.forLanguageTag(phone)).confirm }
        assertEquals(confirm("en", "zh-CN"), confirm(null, "en-GB"))
        assertEquals(confirm("zh-TW", "en"), confirm(null, "zh-TW"))
        assertEquals("the script comes before the region", confirm("zh-CN", "en"), confirm(null, "zh-Hans-TW"))
        assertEquals(confirm("zh-CN", "en"), confirm(null, "fr-FR"))
    }

    @Test
    fun `the key is made in the StrongBox once, where there is one`() {
        val smith = Smith(true)
        prepareSealingKey(smith)
        prepareSealingKey(smith)
        assertEquals(listOf(SEALING_KEY), smith.made)
        val plain = Smith(false)
        prepareSealingKey(plain)
        assertEquals(emptyList<String>(), plain.made)
    }

    @Test
    fun `a StrongBox that fails leaves the key to the store`() {
        prepareSealingKey(Smith(true, KeyStoreException()))
        prepareSealingKey(Smith(true, ProviderException()))
    }
}

private class Smith(override val hasStrongBox: Boolean, private val fault: Exception? = null) : KeySmith {
    val made = ArrayList<String>()

    override fun has(alias: String) = alias in made

    override fun make(alias: String) {
        fault?.let { throw it }
        made.add(alias)
    }
}
