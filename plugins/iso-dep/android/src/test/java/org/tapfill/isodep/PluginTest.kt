package org.tapfill.isodep

import android.app.Activity
import android.content.Intent
import android.nfc.NfcAdapter
import android.nfc.Tag
import android.nfc.TagLostException
import android.nfc.tech.IsoDep
import android.os.Bundle
import android.view.WindowManager.LayoutParams
import androidx.activity.result.ActivityResult
import androidx.biometric.BiometricManager
import androidx.biometric.BiometricPrompt
import androidx.appcompat.app.AppCompatActivity
import app.tauri.plugin.Channel
import app.tauri.plugin.Invoke
import app.tauri.plugin.PluginHandle
import app.tauri.plugin.PluginManager
import app.tauri.plugin.jsonMapperOf
import com.fasterxml.jackson.databind.JsonNode
import com.google.android.gms.auth.api.phone.SmsRetriever
import com.google.android.gms.common.api.CommonStatusCodes
import com.google.android.gms.common.api.Status
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test

/** The whole way that Rust goes: JSON in, Tauri's own dispatch, the radio, JSON out. */
class PluginTest {
    private val told = LinkedBlockingQueue<String>()
    private val mapper = jsonMapperOf { _, data -> told.add(data) }
    private val activity = AppCompatActivity()
    private lateinit var nfc: NfcAdapter
    private lateinit var plugin: IsoDepPlugin
    private lateinit var handle: PluginHandle

    @Before
    fun phone() {
        nfc = NfcAdapter()
        NfcAdapter.present = nfc
        plugin = IsoDepPlugin(activity)
        handle = PluginHandle(PluginManager, "iso-dep", plugin, "{}", mapper)
    }

    private fun call(command: String, arguments: String): JsonNode {
        val answered = LinkedBlockingQueue<String>()
        handle.invoke(Invoke(1, command, 0, 1, { _, data -> answered.add(data) }, arguments, mapper))
        val answer = answered.poll(PATIENCE_S, TimeUnit.SECONDS)
        assertNotNull("an answer to $command", answer)
        return mapper.readTree(answer)
    }

    private fun event(): JsonNode {
        val event = told.poll(PATIENCE_S, TimeUnit.SECONDS)
        assertNotNull("an event", event)
        return mapper.readTree(event)
    }

    private fun watch() {
        call("watch", """{"channel":"__CHANNEL__:7"}""")
        assertEquals("on", event()["nfc"].asText())
    }

    private fun hold(answer: (ByteArray) -> ByteArray): IsoDep {
        watch()
        val begun = call("begin", """{"presenceCheckMs":10000,"transceiveMs":5000}""")
        assertEquals(1, begun["session"].asInt())
        val radio = IsoDep(answer)
        nfc.found(Tag(radio))
        assertEquals("tag", event()["kind"].asText())
        return radio
    }

    private val batch = """{"session":1,"tag":1,"commands":[
        {"data":"00A40000023F00","goOn":["9000","61"]},{"data":"00B095001E","goOn":[]}]}"""

    @Test
    fun `a batch goes through Tauri's dispatch to the radio and back`() {
        val radio = hold { command -> command + byteArrayOf(0x90.toByte(), 0) }
        val answer = call("transceive", batch)
        assertEquals("done", answer["stop"].asText())
        assertEquals("00A40000023F009000", answer["replies"][0].asText())
        assertEquals("00B095001E9000", answer["replies"][1].asText())
        assertEquals("set after connect, or Android forgets it", 5000, radio.timeout)
    }

    @Test
    fun `a tag of before that is closed late shortens no patience with this one`() {
        val radio = hold { byteArrayOf(0x90.toByte(), 0) }
        radio.timeout = IsoDep.DEFAULT_MS
        assertEquals("done", call("transceive", batch)["stop"].asText())
        assertEquals("Android sets it back for all tags", 5000, radio.timeout)
    }

    @Test
    fun `reader mode is asked for with what keeps Android's own hands off the card`() {
        hold { it }
        val wanted = NfcAdapter.FLAG_READER_NFC_A or NfcAdapter.FLAG_READER_NFC_B or
            NfcAdapter.FLAG_READER_SKIP_NDEF_CHECK or NfcAdapter.FLAG_READER_NO_PLATFORM_SOUNDS
        assertEquals(wanted, nfc.flags)
        assertEquals(10_000, nfc.extras?.values?.get(NfcAdapter.EXTRA_READER_PRESENCE_CHECK_DELAY))
        call("end", """{"session":1}""")
        assertNull(nfc.polling)
    }

    @Test
    fun `a tag lost in the second command is a resolved answer with the first reply`() {
        var sent = 0
        hold { if (sent++ == 0) byteArrayOf(0x90.toByte(), 0) else throw TagLostException() }
        val answer = call("transceive", batch)
        assertEquals("tag-lost", answer["stop"].asText())
        assertEquals(listOf("9000"), answer["replies"].map { it.asText() })
        val lost = event()
        assertEquals("lost", lost["kind"].asText())
        assertEquals("reader mode was started anew", 2, nfc.openings)
    }

    @Test
    fun `a tag lost after the time-out counts as slow`() {
        watch()
        call("begin", """{"presenceCheckMs":10000,"transceiveMs":30}""")
        nfc.found(Tag(IsoDep { Thread.sleep(40); throw TagLostException() }))
        assertEquals("tag", event()["kind"].asText())
        assertEquals("timeout", call("transceive", batch)["stop"].asText())
    }

    @Test
    fun `a tag of another kind is passed over`() {
        watch()
        call("begin", "{}")
        nfc.found(Tag(null))
        assertTrue(told.isEmpty())
        assertEquals("the card may lie beside it", 2, nfc.openings)
        call("end", """{"session":1}""")
        nfc.found(Tag(null))
        assertNull("nobody looks any more", nfc.polling)
    }

    @Test
    fun `a card at the edge of the field is looked for anew`() {
        watch()
        call("begin", "{}")
        val radio = IsoDep { byteArrayOf(0x90.toByte(), 0) }
        radio.isFar = true
        nfc.found(Tag(radio))
        assertTrue("it is no card yet", told.isEmpty())
        assertEquals("or Android holds on to it for ten seconds", 2, nfc.openings)
        radio.isFar = false
        nfc.found(Tag(radio))
        assertEquals("tag", event()["kind"].asText())
    }

    @Test
    fun `a command that does not say after which status words it goes on is not sent`() {
        var sent = 0
        hold { sent++; byteArrayOf(0x6A, 0x82.toByte()) }
        val misspelled = batch.replace("goOn", "go_on")
        assertEquals("io", call("transceive", misspelled)["stop"].asText())
        assertEquals("a batch would go on after every one of them", 0, sent)
    }

    @Test
    fun `a refusal carries its code`() {
        nfc.isEnabled = false
        assertEquals("off", call("begin", "{}")["code"].asText())
        NfcAdapter.present = null
        assertEquals("none", call("begin", "{}")["code"].asText())
    }

    @Test
    fun `the screen is secret and awake as long as it is asked to be`() {
        call("screen", """{"secret":true,"awake":true}""")
        assertEquals(LayoutParams.FLAG_SECURE or LayoutParams.FLAG_KEEP_SCREEN_ON, activity.window.flags)
        call("screen", """{"secret":false,"awake":true}""")
        assertEquals(LayoutParams.FLAG_KEEP_SCREEN_ON, activity.window.flags)
    }

    @Test
    fun `the page gets no touch through another app's window while a secret is typed`() {
        val page = android.webkit.WebView()
        plugin.load(page)
        val touch = android.view.MotionEvent(0, android.view.MotionEvent.FLAG_WINDOW_IS_OBSCURED)
        call("screen", """{"secret":true,"awake":false}""")
        assertTrue("the pad", page.touched!!.onTouch(page, touch))
        assertTrue("where Android can", activity.window.hidesOverlays)
        call("screen", """{"secret":false,"awake":false}""")
        assertFalse("the rest of the page", page.touched!!.onTouch(page, touch))
    }

    @Test
    fun `the app that leaves the screen gives reader mode back`() {
        hold { it }
        plugin.onPause(activity)
        assertNull(nfc.polling)
        assertEquals("lost", event()["kind"].asText())
        plugin.onResume(activity)
        assertNotNull(nfc.polling)
    }

    @Test
    fun `crossing the bridge costs less than two milliseconds`() {
        hold { byteArrayOf(0x90.toByte(), 0) }
        repeat(WARM) { call("transceive", batch) }
        val began = System.nanoTime()
        repeat(MEASURED) { call("transceive", batch) }
        val ms = (System.nanoTime() - began) / 1e6 / MEASURED
        println("bridge: %.3f ms for a batch of two commands on this JVM (%d batches)".format(ms, MEASURED))
        assertTrue("$ms ms", ms < 2)
    }

    /** A message comes; Play services tell how that went. */
    private fun come(status: Int): Intent {
        val ask = Intent()
        val told = Intent(SmsRetriever.SMS_RETRIEVED_ACTION)
        told.extras = Bundle().also {
            it.values[SmsRetriever.EXTRA_STATUS] = Status(status)
            it.values[SmsRetriever.EXTRA_CONSENT_INTENT] = ask
        }
        activity.receivers.getValue(SmsRetriever.SMS_RETRIEVED_ACTION).onReceive(activity, told)
        return ask
    }

    /** The person lets us have it, or not. */
    private fun give(text: String?) {
        val given = Intent().also { it.extras = Bundle() }
        given.extras?.values?.set(SmsRetriever.EXTRA_SMS_MESSAGE, text)
        activity.answer(ActivityResult(if (text == null) 0 else Activity.RESULT_OK, given))
    }

    private fun message(status: Int, text: String?) {
        val ask = come(status)
        if (status != CommonStatusCodes.SUCCESS) return
        assertEquals("the person is asked", ask, activity.launched)
        give(text)
    }

    private val topUp = "for topping up the card ending in 4471."

    private fun code(about: String = topUp, then: () -> Unit): String? {
        PluginManager.activity = activity
        PluginManager.onCreate(activity)
        val answered = LinkedBlockingQueue<String>()
        ask(about) { answered.add(it) }
        then()
        val answer = answered.poll(PATIENCE_S, TimeUnit.SECONDS)
        assertNotNull("an answer", answer)
        return mapper.readTree(answer)["code"].textValue()
    }

    private fun ask(about: String, answered: (String) -> Unit) =
        handle.invoke(Invoke(1, "code", 0, 1, { _, data -> answered(data) }, """{"about":"$about"}""", mapper))

    @Test
    fun `the code of a message comes when the person lets us have it`() {
        assertEquals("482913", code { message(CommonStatusCodes.SUCCESS, BANK_SAYS) })
        assertNull("refused", code { message(CommonStatusCodes.SUCCESS, null) })
        assertNull("no message came", code { message(CommonStatusCodes.TIMEOUT, null) })
        SmsRetriever.present = false
        assertNull("no Play services", code {})
        SmsRetriever.present = true
        assertNull("another one is waited for", code { ask(topUp) {} })
        plugin.onDestroy(activity)
        assertTrue("nobody listens any more", activity.receivers.isEmpty())
    }

    @Test
    fun `a code of another sender, or of another request, is not typed`() {
        val other = "Your login code is 482913. Card 4471 for topping up."
        assertNull("six digits of somebody else", code { message(CommonStatusCodes.SUCCESS, other) })
        assertNull("another card", code(topUp.replace("4471", "9035")) { message(CommonStatusCodes.SUCCESS, BANK_SAYS) })
        val list = "for paying 1250.00 yuan for 25 cards."
        assertNull("a list", code(list) { message(CommonStatusCodes.SUCCESS, BANK_SAYS) })
    }

    @Test
    fun `while the dialog of an older request is open no other one takes its answer`() {
        PluginManager.activity = activity
        PluginManager.onCreate(activity)
        val older = LinkedBlockingQueue<String>()
        ask(topUp) { older.add(it) }
        come(CommonStatusCodes.SUCCESS)
        val dialog = activity.launched
        assertNull("another message meanwhile", code { come(CommonStatusCodes.SUCCESS) })
        assertEquals("no dialog over the first", dialog, activity.launched)
        give(BANK_SAYS)
        assertEquals("whose answer it is", "482913", mapper.readTree(older.poll(PATIENCE_S, TimeUnit.SECONDS))["code"].textValue())
        assertEquals("and the next may ask again", "482913", code { message(CommonStatusCodes.SUCCESS, BANK_SAYS) })
    }

    @Test
    fun `who holds the phone is asked in the language of the app`() {
        call("screen", """{"secret":false,"awake":false,"language":"zh-TW"}""")
        assertEquals("yes", call("confirm", "{}")["answer"].asText())
        assertEquals("確認是您本人，打開您的卡片", BiometricPrompt.title)
        BiometricPrompt.outcome = BiometricPrompt.ERROR_USER_CANCELED
        assertEquals("no", call("confirm", "{}")["answer"].asText())
        BiometricPrompt.outcome = BiometricPrompt.ERROR_NO_DEVICE_CREDENTIAL
        assertEquals("unable", call("confirm", "{}")["answer"].asText())
        BiometricPrompt.outcome = null
        activity.supportFragmentManager.isStateSaved = true
        assertEquals("the app is not on the screen", "no", call("confirm", "{}")["answer"].asText())
        BiometricManager.able = 1
        assertEquals("unable", call("confirm", "{}")["answer"].asText())
        BiometricManager.able = BiometricManager.BIOMETRIC_SUCCESS
    }

    private companion object {
        const val BANK_SAYS = "[Bank] Code 482913 for topping up the card ending in 4471. Valid 5 min. Tell it to nobody."
        const val PATIENCE_S = 5L
        const val WARM = 500
        const val MEASURED = 2_000
    }
}
