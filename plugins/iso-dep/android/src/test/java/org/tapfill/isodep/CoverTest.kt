package org.tapfill.isodep

import android.app.Activity
import android.os.Build
import android.view.MotionEvent
import android.view.View
import android.widget.Toast
import java.util.Locale
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test

class CoverTest {
    private val now = Build.VERSION.SDK_INT
    private val activity = Activity()
    private val page = View()
    private val cover = Cover(activity) { Words.of("en", Locale.ROOT) }

    @Before
    fun page() {
        Toast.shown.clear()
        cover.watch(page)
    }

    @After
    fun phone() {
        Build.VERSION.SDK_INT = now
    }

    private fun drops(flags: Int, action: Int = MotionEvent.ACTION_DOWN): Boolean =
        checkNotNull(page.touched).onTouch(page, MotionEvent(action, flags))

    @Test
    fun `a touch through another app's window never reaches the pad, and the person is told once`() {
        cover.keepOff(true)
        assertTrue("the finger goes down", drops(MotionEvent.FLAG_WINDOW_IS_OBSCURED))
        assertTrue("and up", drops(MotionEvent.FLAG_WINDOW_IS_OBSCURED, MotionEvent.ACTION_UP))
        assertEquals(listOf(Words.of("en", Locale.ROOT).covered), Toast.shown)
        assertFalse("nothing lies over it", drops(0))
        assertFalse("a bubble elsewhere", drops(MotionEvent.FLAG_WINDOW_IS_PARTIALLY_OBSCURED))
    }

    @Test
    fun `where nothing secret is typed a dimmed screen goes on working`() {
        assertFalse("before", drops(MotionEvent.FLAG_WINDOW_IS_OBSCURED))
        cover.keepOff(true)
        cover.keepOff(false)
        assertFalse("after", drops(MotionEvent.FLAG_WINDOW_IS_OBSCURED))
        assertEquals(emptyList<String>(), Toast.shown)
    }

    @Test
    fun `new versions of Android hide the windows themselves, and old ones are not asked to`() {
        cover.keepOff(true)
        assertTrue(activity.window.hidesOverlays)
        cover.keepOff(false)
        assertFalse("the others come back", activity.window.hidesOverlays)
        Build.VERSION.SDK_INT = 30
        cover.keepOff(true)
        assertFalse("Android 11 has no such call", activity.window.hidesOverlays)
    }
}
