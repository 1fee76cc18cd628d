package org.tapfill.isodep

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.BroadcastReceiver
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.nfc.NfcAdapter
import android.os.BatteryManager
import android.view.WindowManager
import android.webkit.WebView
import androidx.activity.result.ActivityResult
import androidx.appcompat.app.AppCompatActivity
import app.tauri.annotation.ActivityCallback
import app.tauri.annotation.Command
import app.tauri.annotation.TauriPlugin
import app.tauri.plugin.Channel
import app.tauri.plugin.Invoke
import app.tauri.plugin.Plugin
import com.google.android.gms.auth.api.phone.SmsRetriever
import java.util.Locale
import java.util.concurrent.Executors

/** The way from Rust to the card. The page has no command that reaches it. */
@TauriPlugin
class IsoDepPlugin(private val activity: Activity) : Plugin(activity) {
    @Volatile
    private var channel: Channel? = null

    /** As it was chosen in the app; none: the phone's. */
    @Volatile
    private var language: String? = null

    private val worker = Executors.newSingleThreadExecutor { work -> Thread(work, "iso-dep") }
    private val field = AndroidField(activity, { card -> desk.found(card) }, { desk.missed() })
    private val desk: Desk = Desk(field, worker) { event -> channel?.sendObject(event) }
    private val switch = object : BroadcastReceiver() {
        override fun onReceive(context: Context, intent: Intent) = desk.switched()
    }

    private val consent = SmsConsent(activity)
    private val person = Person(activity)
    private val cover = Cover(activity) { Words.of(language, Locale.getDefault()) }

    init {
        // Before Rust asks for the first secret.
        prepareSealingKey(AndroidKeySmith(activity))
        activity.registerReceiver(switch, IntentFilter(NfcAdapter.ACTION_ADAPTER_STATE_CHANGED))
    }

    override fun load(webView: WebView) = cover.watch(webView)

    @Command
    fun watch(invoke: Invoke) {
        channel = invoke.parseArgs(WatchArgs::class.java).channel
        desk.switched()
        invoke.resolve()
    }

    @Command
    fun begin(invoke: Invoke) = answering(invoke) {
        val session = desk.begin(invoke.parseArgs(BeginArgs::class.java))
        invoke.resolveObject(Begun(session))
    }

    @Command
    fun transceive(invoke: Invoke) = answering(invoke) {
        val batch = invoke.parseArgs(TransceiveArgs::class.java)
        desk.transceive(batch) { answer -> invoke.resolveObject(answer) }
    }

    @Command
    fun release(invoke: Invoke) = answering(invoke) {
        val card = invoke.parseArgs(ReleaseArgs::class.java)
        desk.release(card.session, card.tag)
        invoke.resolve()
    }

    @Command
    fun end(invoke: Invoke) = answering(invoke) {
        desk.end(invoke.parseArgs(EndArgs::class.java).session)
        invoke.resolve()
    }

    @Command
    fun screen(invoke: Invoke) {
        val wanted = invoke.parseArgs(ScreenArgs::class.java)
        language = wanted.language
        activity.runOnUiThread {
            flag(WindowManager.LayoutParams.FLAG_SECURE, wanted.secret)
            cover.keepOff(wanted.secret)
            flag(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON, wanted.awake)
        }
        invoke.resolve()
    }

    /** Answers when the bank's message came and the person let us have it, or when nothing is to be hoped for. */
    @Command
    fun code(invoke: Invoke) = consent.listen { ask ->
        if (ask == null || !asks(invoke, ask)) invoke.resolveObject(Code(null))
    }

    private fun asks(invoke: Invoke, ask: Intent): Boolean = try {
        startActivityForResult(invoke, ask, "consented")
        consent.asks = true
        true
    } catch (_: ActivityNotFoundException) {
        false
    }

    @ActivityCallback
    fun consented(invoke: Invoke, result: ActivityResult) {
        consent.asks = false
        val message = result.data?.getStringExtra(SmsRetriever.EXTRA_SMS_MESSAGE)
        val about = invoke.parseArgs(CodeArgs::class.java).about
        invoke.resolveObject(Code(message?.let { codeIn(it, about) }))
    }

    @Command
    fun confirm(invoke: Invoke) =
        person.ask(Words.of(language, Locale.getDefault()).confirm) { answer -> invoke.resolveObject(Confirmed(answer)) }

    @Command
    fun power(invoke: Invoke) {
        val battery = activity.getSystemService(Context.BATTERY_SERVICE) as? BatteryManager
        val percent = battery?.getIntProperty(BatteryManager.BATTERY_PROPERTY_CAPACITY) ?: 100
        invoke.resolveObject(Power(percent, battery?.isCharging ?: true))
    }

    override fun onPause(activity: AppCompatActivity) = desk.pause()

    override fun onResume(activity: AppCompatActivity) = desk.resume()

    override fun onDestroy(activity: AppCompatActivity) {
        desk.pause()
        consent.finish(null)
        activity.unregisterReceiver(switch)
    }

    private fun flag(flag: Int, on: Boolean) {
        if (on) activity.window.addFlags(flag) else activity.window.clearFlags(flag)
    }

    private fun answering(invoke: Invoke, answer: () -> Unit) {
        try {
            answer()
        } catch (refused: Refused) {
            invoke.reject(refused.code, refused.code)
        }
    }
}
