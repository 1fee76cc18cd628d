package org.tapfill.app

import android.view.View
import androidx.core.view.Insets
import androidx.core.view.WindowInsetsCompat
import androidx.core.view.WindowInsetsCompat.Type
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Test

class RoomTest {
    private val page = View()

    private fun room(vararg covers: Pair<Int, Insets>): List<Int> {
        val left = Room.onApplyWindowInsets(page, WindowInsetsCompat(mapOf(*covers)))
        assertSame("what is kept clear of is not told to the page again", WindowInsetsCompat.CONSUMED, left)
        return page.padding
    }

    @Test
    fun `neither bars nor a cut-out nor the keyboard cover the page`() {
        val bars = Type.systemBars() to Insets(0, 24, 0, 48)
        val cutOut = Type.displayCutout() to Insets(0, 80, 0, 0)
        val keyboard = Type.ime() to Insets(0, 0, 0, 700)
        assertEquals(listOf(0, 80, 0, 48), room(bars, cutOut))
        assertEquals("typing", listOf(0, 80, 0, 700), room(bars, cutOut, keyboard))
        assertEquals("and after", listOf(0, 80, 0, 48), room(bars, cutOut))
        val turned = Type.displayCutout() to Insets(80, 0, 0, 0)
        assertEquals("on its side", listOf(80, 24, 0, 48), room(bars, turned))
    }
}
