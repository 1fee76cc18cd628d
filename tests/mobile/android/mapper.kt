package app.tauri.plugin

import com.fasterxml.jackson.annotation.JsonAutoDetect
import com.fasterxml.jackson.annotation.PropertyAccessor
import com.fasterxml.jackson.databind.DeserializationFeature
import com.fasterxml.jackson.databind.ObjectMapper
import com.fasterxml.jackson.databind.module.SimpleModule

/** Tauri's own, as its PluginManager makes it, with channels that end in the test instead of in Rust. */
fun jsonMapperOf(send: (Long, String) -> Unit): ObjectMapper {
    val mapper = ObjectMapper()
        .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
        .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
        .setVisibility(PropertyAccessor.FIELD, JsonAutoDetect.Visibility.ANY)
    val channels = SimpleModule().addDeserializer(Channel::class.java, ChannelDeserializer(send, mapper))
    return mapper.registerModule(channels)
}
